fn main() {
    let other = std::thread::spawn(|| "hello from a thread");
    println!("{}", other.join().unwrap());
}
