// sgmv_tests [PART...]: runs the tests whose names contain one of the parts, or all.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>

#include "check.h"

int main(int argc, char** argv) {
  const auto wanted = [&](const std::string& name) {
    const auto in_name = [&](const char* part) { return name.find(part) != std::string::npos; };
    return argc < 2 || std::any_of(argv + 1, argv + argc, in_name);
  };
  int passed = 0, failed = 0, skipped = 0;
  for (const auto& test : sgmv::test::tests()) {
    if (!wanted(test.name)) continue;
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
