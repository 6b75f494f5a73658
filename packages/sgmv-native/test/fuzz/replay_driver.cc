// Stands in for libFuzzer where there is no clang: runs the target on every file of the given folders, then on
// random mutations of them until the time or the number of runs is used up. The same seed gives the same inputs.
// Takes libFuzzer's own flags: -max_total_time=SECONDS -runs=N -seed=N -artifact_prefix=PATH; others are ignored.
#include <sanitizer/common_interface_defs.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;
constexpr size_t kInputBytesMax = 1 << 16;

struct Options {
  double seconds = 0;  // 0: the runs decide
  int64_t runs = -1;   // -1: the time decides
  uint64_t seed = 1;
  std::string artifacts = "./";
  std::vector<fs::path> folders;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string value = argument.substr(std::min(argument.find('=') + 1, argument.size()));
    if (argument.starts_with("-max_total_time=")) options.seconds = std::stod(value);
    else if (argument.starts_with("-runs=")) options.runs = std::stoll(value);
    else if (argument.starts_with("-seed=")) options.seed = std::stoull(value);
    else if (argument.starts_with("-artifact_prefix=")) options.artifacts = value;
    else if (!argument.starts_with("-")) options.folders.emplace_back(argument);
  }
  return options;
}

std::string current;  // the input that is running, for whoever dies of it
std::string artifact;

void keep_current() {
  std::ofstream(artifact, std::ios::binary) << current;
  std::fprintf(stderr, "\nThe input is in %s (%zu bytes).\n", artifact.c_str(), current.size());
}

void on_abort(int) {
  keep_current();
  std::_Exit(77);
}

void run(std::string input) {
  current = std::move(input);
  // A copy of exactly this size, so that a read past the end is seen.
  const std::vector<uint8_t> bytes(current.begin(), current.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<std::string> read_corpus(const std::vector<fs::path>& folders) {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders) {
    if (!fs::exists(folder)) continue;
    if (fs::is_regular_file(folder)) files.push_back(folder);
    else for (const auto& entry : fs::directory_iterator(folder)) if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs{""};
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Mutator {
 public:
  Mutator(uint64_t seed, const std::vector<std::string>& corpus) : random_(seed), corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (size_t changes = 1 + below(6); changes > 0; --changes) change(input);
    input.resize(std::min(input.size(), kInputBytesMax));
    return input;
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(std::string& input) {
    const size_t at = below(input.size());
    switch (below(8)) {
      case 0: if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << below(8))); break;
      case 1: if (!input.empty()) input[at] = static_cast<char>(random_()); break;
      case 2: input.insert(at, 1 + below(4), static_cast<char>(random_())); break;
      case 3: input.erase(at, 1 + below(16)); break;
      case 4: input.insert(at, input.substr(below(input.size()), 1 + below(64))); break;
      case 5: integer(input, at); break;
      case 6: number(input, at); break;
      case 7: splice(input, at); break;
    }
  }

  // The integers at which sizes and offsets wrap or change their sign.
  uint64_t hard_integer() {
    const uint64_t power = uint64_t{1} << below(64);
    return power - 1 + below(3);
  }

  void integer(std::string& input, size_t at) {
    const uint64_t value = hard_integer();
    const size_t width = size_t{1} << below(4);
    if (at + width <= input.size()) std::memcpy(input.data() + at, &value, width);
  }

  // Another number in the place of one in the text.
  void number(std::string& input, size_t at) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto begin = std::find_if(input.begin() + static_cast<std::ptrdiff_t>(at), input.end(), digit);
    const auto end = std::find_if_not(begin, input.end(), digit);
    input.replace(begin, end, (below(4) == 0 ? "-" : "") + std::to_string(hard_integer()));
  }

  void splice(std::string& input, size_t at) {
    const std::string& other = corpus_[below(corpus_.size())];
    input = input.substr(0, at) + other.substr(below(other.size()));
  }

  std::mt19937_64 random_;
  const std::vector<std::string>& corpus_;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  artifact = options.artifacts + "crash-replay";
  __sanitizer_set_death_callback(keep_current);
  std::signal(SIGABRT, on_abort);
  const std::vector<std::string> corpus = read_corpus(options.folders);
  for (const std::string& input : corpus) run(input);
  Mutator mutator(options.seed, corpus);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  int64_t runs = 0;
  while ((options.runs >= 0 || options.seconds > 0) && (options.runs < 0 || runs < options.runs) &&
         (options.seconds <= 0 || seconds() < options.seconds)) {
    run(mutator.next());
    ++runs;
  }
  std::printf("stat::number_of_executed_units: %lld\n", static_cast<long long>(runs) + static_cast<long long>(corpus.size()));
}
