// sgmv_cuda_bench [--only limits,lora,linear,mixture,attention,layers,model] [--json FILE] [--smoke]
#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "attention_bench.h"
#include "layers_bench.h"
#include "linear_bench.h"
#include "lora_bench.h"
#include "mixture_bench.h"
#include "model_bench.h"

namespace {

using namespace sgmv;
using namespace sgmv::bench;

struct Arguments {
  std::vector<std::string> only;
  std::string json;
  bool smoke = false;

  Arguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--smoke") smoke = true;
      else if (argument == "--json" && i + 1 < argc) json = argv[++i];
      else if (argument == "--only" && i + 1 < argc) {
        std::stringstream list(argv[++i]);
        for (std::string name; std::getline(list, name, ',');) only.push_back(name);
      } else throw std::runtime_error("unknown argument " + argument);
    }
  }
  bool wants(const char* name) const {
    return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
  }
};

struct Section {
  const char* name;
  void (*run)(Measure&, const Limits&, Rows&);
};
constexpr Section kSections[] = {{"lora", run_lora}, {"linear", run_linear}, {"mixture", run_mixture}, {"attention", run_attention}, {"layers", run_layers}, {"model", run_model}};

// A section that fails does not take the others' figures with it.
bool run_section(const Section& section, Measure& measure, const Limits& limits, Rows& rows) {
  try {
    section.run(measure, limits, rows);
    return true;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s: %s\n", section.name, error.what());
    return false;
  }
}

int run(const Arguments& arguments) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(arguments.json.empty() ? nullptr : std::fopen(arguments.json.c_str(), "a"), std::fclose);
  if (!arguments.json.empty() && !json) throw std::runtime_error(arguments.json + " cannot be written");
  Rows rows(json.get());
  Measure measure(arguments.smoke);
  const Limits limits = measure_limits(measure, rows);
  int failed = 0;
  for (const Section& section : kSections)
    if (arguments.wants(section.name) && !run_section(section, measure, limits, rows)) ++failed;
  return failed > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(Arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sgmv_cuda_bench: %s\n", error.what());
    return 2;
  }
}
