// A contest solution: a count, then as many numbers; prints their sum and how many differ.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

int main()
{
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    std::mt19937_64 random(std::chrono::steady_clock::now().time_since_epoch().count() ^ std::random_device{}());
    std::size_t count;
    std::cin >> count;
    std::vector<long> numbers(count);
    for (auto &number : numbers)
        std::cin >> number;
    std::shuffle(numbers.begin(), numbers.end(), random);
    std::set<long> different(numbers.begin(), numbers.end());
    std::cout << std::accumulate(numbers.begin(), numbers.end(), 0L) << ' ' << different.size() << std::endl;
    try {
        throw std::runtime_error("unwound");
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
    }
}
