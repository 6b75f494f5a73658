#include "run_tests.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "check.h"

namespace sgmv::test {
namespace {

constexpr int kJobsMax = 64;

using Clock = std::chrono::steady_clock;
constexpr int kLeft = 3;  // a process that has said which test failed, and takes no further one

struct Counts {
  std::atomic<size_t> next{0};                     // test that nobody has taken
  std::atomic<size_t> running[kJobsMax] = {};      // by process
  std::atomic<Clock::rep> began[kJobsMax] = {};    // when it took that one
  std::atomic<int> passed{0}, failed{0}, skipped{0};
};

// A line is written at once: several processes print. False: it failed.
bool run_one(const Test& test, Counts& counts) {
  const auto begin = Clock::now();
  std::string line;
  bool good = true;
  try {
    test.body();
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, " (%.1f s)\n", std::chrono::duration<double>(Clock::now() - begin).count());
    line = "ok    " + test.name + seconds;
    ++counts.passed;
  } catch (const Skip& skip) {
    line = "skip  " + test.name + ": " + skip.what() + "\n";
    ++counts.skipped;
  } catch (const std::exception& error) {
    line = "FAIL  " + test.name + "\n      " + error.what() + "\n";
    ++counts.failed;
    good = false;
  }
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  return good;
}

// False: one failed, and with `leave` those after it were not run.
bool run_all(const std::vector<const Test*>& chosen, Counts& counts, int process, bool leave) {
  for (size_t i = counts.next++; i < chosen.size(); i = counts.next++) {
    counts.running[process] = i;
    counts.began[process] = Clock::now().time_since_epoch().count();
    if (!run_one(*chosen[i], counts) && leave) return false;
  }
  return true;
}

// Processes of their own, which take tests one by one. One whose test failed, died or took too long is followed by another:
// what it has broken, a device's context say, breaks no further test.
class Processes {
 public:
  Processes(const std::vector<const Test*>& chosen, Counts& counts, int seconds) : chosen_(chosen), counts_(counts), seconds_(seconds) {}

  void run(int jobs) {
    std::fflush(stdout);  // or every process would say it again
    for (int i = 0; i < jobs; ++i) begin(i);
    while (std::any_of(pids_, pids_ + kJobsMax, [](pid_t pid) { return pid > 0; })) {
      int status = 0;
      const pid_t ended = waitpid(-1, &status, WNOHANG);
      if (ended > 0) end(static_cast<int>(std::find(pids_, pids_ + kJobsMax, ended) - pids_), status);
      else stop_late_ones();
    }
  }

 private:
  void begin(int process) {
    counts_.began[process] = Clock::now().time_since_epoch().count();
    late_[process] = false;
    pids_[process] = fork();
    if (pids_[process] != 0) return;
    if (!run_all(chosen_, counts_, process, true)) std::_Exit(kLeft);
    std::exit(0);
  }

  void end(int process, int status) {
    pids_[process] = 0;
    if (status == 0) return;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != kLeft) {
      const std::string why = late_[process] ? "it was stopped after " + std::to_string(seconds_) + " s" : "its process died: status " + std::to_string(status);
      std::printf("FAIL  %s\n      %s\n", chosen_[counts_.running[process]]->name.c_str(), why.c_str());
      std::fflush(stdout);
      ++counts_.failed;
    }
    if (counts_.next < chosen_.size()) begin(process);
  }

  void stop_late_ones() {
    const Clock::time_point now = Clock::now();
    for (int i = 0; i < kJobsMax && seconds_ > 0; ++i) {
      if (pids_[i] <= 0 || now.time_since_epoch() - Clock::duration(counts_.began[i]) < std::chrono::seconds(seconds_)) continue;
      late_[i] = true;
      kill(pids_[i], SIGKILL);
    }
    usleep(20'000);
  }

  const std::vector<const Test*>& chosen_;
  Counts& counts_;
  const int seconds_;
  pid_t pids_[kJobsMax] = {};
  bool late_[kJobsMax] = {};
};

// Takes `name` and the number behind it off the arguments.
int number_option(int& argc, char**& argv, const char* name, int otherwise) {
  if (argc < 3 || std::strcmp(argv[1], name) != 0) return otherwise;
  const int number = std::atoi(argv[2]);
  argc -= 2, argv += 2;
  return number;
}

}  // namespace

int run_tests(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // several processes print, each whole lines
  const int jobs = std::min(number_option(argc, argv, "--jobs", 1), kJobsMax), seconds = number_option(argc, argv, "--seconds", 0);
  const bool list = argc > 1 && std::strcmp(argv[1], "--list") == 0;
  if (list) --argc, ++argv;
  const auto wanted = [&](const Test& test) {
    const auto in_name = [&](const char* part) { return test.name.find(part) != std::string::npos; };
    return argc < 2 || std::any_of(argv + 1, argv + argc, in_name);
  };
  std::vector<const Test*> chosen;
  for (const Test& test : tests())
    if (wanted(test)) chosen.push_back(&test);
  // Whoever names a test that is not there believes that it runs.
  for (char** part = argv + 1; part < argv + argc; ++part)
    if (std::none_of(chosen.begin(), chosen.end(), [&](const Test* test) { return test->name.find(*part) != std::string::npos; }))
      return std::printf("no test has \"%s\" in its name\n0 passed, 1 failed\n", *part), 1;
  if (list) {
    for (const Test* test : chosen) std::puts(test->name.c_str());
    return 0;
  }

  void* const shared = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return std::perror("mmap"), 1;
  Counts& counts = *new (shared) Counts;
  if ((jobs > 1 || seconds > 0) && !chosen.empty()) Processes(chosen, counts, seconds).run(jobs);
  else run_all(chosen, counts, 0, false);

  const int passed = counts.passed, failed = counts.failed, skipped = counts.skipped;
  std::printf("%d passed, %d failed", passed, failed);
  if (skipped > 0) std::printf(", %d skipped", skipped);
  std::printf("\n");
  if (failed == 0 && passed == 0 && skipped > 0) return kAllSkipped;
  return failed > 0 || passed == 0 ? 1 : 0;
}

}  // namespace sgmv::test
