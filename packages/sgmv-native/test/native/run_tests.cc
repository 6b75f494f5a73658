#include "run_tests.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "check.h"

namespace sgmv::test {
namespace {

constexpr int kJobsMax = 64;

struct Counts {
  std::atomic<size_t> next{0};                 // test that nobody has taken
  std::atomic<size_t> running[kJobsMax] = {};  // by process
  std::atomic<int> passed{0}, failed{0}, skipped{0};
};

// A line is written at once: several processes print.
void run_one(const Test& test, Counts& counts) {
  const auto begin = std::chrono::steady_clock::now();
  std::string line;
  try {
    test.body();
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, " (%.1f s)\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    line = "ok    " + test.name + seconds;
    ++counts.passed;
  } catch (const Skip& skip) {
    line = "skip  " + test.name + ": " + skip.what() + "\n";
    ++counts.skipped;
  } catch (const std::exception& error) {
    line = "FAIL  " + test.name + "\n      " + error.what() + "\n";
    ++counts.failed;
  }
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void run_all(const std::vector<const Test*>& chosen, Counts& counts, int process) {
  for (size_t i = counts.next++; i < chosen.size(); i = counts.next++) {
    counts.running[process] = i;
    run_one(*chosen[i], counts);
  }
}

// In processes of their own, which take tests one by one; one that dies is a failed test.
void run_in_processes(const std::vector<const Test*>& chosen, Counts& counts, int jobs) {
  std::vector<pid_t> processes;
  std::fflush(stdout);  // or every process would say it again
  for (int i = 0; i < jobs; ++i) {
    processes.push_back(fork());
    if (processes.back() == 0) {
      run_all(chosen, counts, i);
      std::exit(0);
    }
  }
  for (int i = 0; i < jobs; ++i) {
    int status = 1;
    waitpid(processes[static_cast<size_t>(i)], &status, 0);
    if (status == 0) continue;
    std::printf("FAIL  %s\n      its process died: status %d\n", chosen[counts.running[i]]->name.c_str(), status);
    ++counts.failed;
  }
}

}  // namespace

int run_tests(int argc, char** argv) {
  int jobs = 1;
  if (argc > 2 && std::strcmp(argv[1], "--jobs") == 0) jobs = std::min(std::atoi(argv[2]), kJobsMax), argc -= 2, argv += 2;
  const auto wanted = [&](const Test& test) {
    const auto in_name = [&](const char* part) { return test.name.find(part) != std::string::npos; };
    return argc < 2 || std::any_of(argv + 1, argv + argc, in_name);
  };
  std::vector<const Test*> chosen;
  for (const Test& test : tests())
    if (wanted(test)) chosen.push_back(&test);

  void* const shared = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return std::perror("mmap"), 1;
  Counts& counts = *new (shared) Counts;
  if (jobs > 1 && !chosen.empty()) run_in_processes(chosen, counts, jobs);
  else run_all(chosen, counts, 0);

  const int passed = counts.passed, failed = counts.failed, skipped = counts.skipped;
  std::printf("%d passed, %d failed", passed, failed);
  if (skipped > 0) std::printf(", %d skipped", skipped);
  std::printf("\n");
  if (failed == 0 && passed == 0 && skipped > 0) return kAllSkipped;
  return failed > 0 || passed == 0 ? 1 : 0;
}

}  // namespace sgmv::test
