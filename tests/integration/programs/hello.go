package main

func main() {
	answers := make(chan string)
	go func() { answers <- "hello from a goroutine" }()
	println(<-answers)
}
