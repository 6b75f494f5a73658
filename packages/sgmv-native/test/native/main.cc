// sgmv_tests [PART]: runs the tests whose names contain PART, or all.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

#include "check.h"

int main(int argc, char** argv) {
  const char* part = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0, skipped = 0;
  for (const auto& test : sgmv::test::tests()) {
    if (std::strstr(test.name.c_str(), part) == nullptr) continue;
    const auto begin = std::chrono::steady_clock::now();
    try {
      test.body();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      std::printf("ok    %s (%.1f s)\n", test.name.c_str(), seconds);
      ++passed;
    } catch (const sgmv::test::Skip& skip) {
      std::printf("skip  %s: %s\n", test.name.c_str(), skip.what());
      ++skipped;
    } catch (const std::exception& error) {
      std::printf("FAIL  %s\n      %s\n", test.name.c_str(), error.what());
      ++failed;
    }
    std::fflush(stdout);
  }
  if (skipped > 0) std::printf("%d skipped\n", skipped);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0 ? 1 : 0;
}
