// sgmv_bench MODEL [--adapters DIR] [--requests 32] [--prompt 64] [--new 128] [--rank 16] [--threads N] [--isa NAME]
//            [--only base|identical|distinct|micro|limits] [--json]
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "limits.h"
#include "micro_bench.h"
#include "random_adapter.h"
#include "serve_bench.h"
#include "sgmv/error.h"

namespace {

using namespace sgmv;
using namespace sgmv::bench;

struct Arguments {
  std::string model;
  bool json = false;
  std::map<std::string, std::string> values;

  Arguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--json") json = true;
      else if (argument.starts_with("--") && i + 1 < argc) values[argument.substr(2)] = argv[++i];
      else model = argument;
    }
  }
  std::string text(const char* name, const char* otherwise) const { return values.contains(name) ? values.at(name) : otherwise; }
  bool needs_no_model() const { return text("only", "") == "micro" || text("only", "") == "limits"; }
  int32_t number(const char* name, int32_t otherwise) const { return values.contains(name) ? std::atoi(values.at(name).c_str()) : otherwise; }
};

std::vector<std::shared_ptr<const Adapter>> load_adapters(Model& model, const Arguments& arguments, int32_t count, int32_t rank) {
  const std::filesystem::path root = arguments.text("adapters", "/tmp/sgmv-bench-adapters");
  std::vector<std::shared_ptr<const Adapter>> adapters;
  for (int32_t i = 0; i < count; ++i) {
    const std::filesystem::path folder = root / ("r" + std::to_string(rank) + "-" + std::to_string(model.config().hidden_size) + "-" + std::to_string(i));
    if (!std::filesystem::exists(folder / "adapter_config.json")) write_random_adapter(folder, model.config(), rank, static_cast<uint32_t>(i));
    adapters.push_back(model.load_adapter(folder));
  }
  return adapters;
}

void print(const ServeResult& r, bool json) {
  if (json)
    std::printf("{\"popularity\":\"%s\",\"newTokensPerSecond\":%.1f,\"decodeStepMs\":%.2f,\"decodeStepMsBest\":%.2f,\"prefillSeconds\":%.3f,\"prefillTokensPerSecond\":%.0f}\n",
                r.popularity.c_str(), r.new_tokens_per_second, r.decode_step_ms, r.decode_step_ms_best, r.prefill_seconds, r.prefill_tokens_per_second);
  else
    std::printf("%-10s %7.1f new tokens/s   decode step %6.2f ms (best %.2f)   prefill %5.2f s (%.0f tokens/s)\n", r.popularity.c_str(),
                r.new_tokens_per_second, r.decode_step_ms, r.decode_step_ms_best, r.prefill_seconds, r.prefill_tokens_per_second);
  std::fflush(stdout);
}

void print(const Limits& limits, bool json) {
  for (const Peak& peak : limits.peaks)
    std::printf(json ? "{\"limit\":\"%s\",\"isa\":\"%s\",\"gigaops\":%.1f}\n" : "limit %-5s %-14s %8.1f Gop/s\n", peak.type.c_str(),
                peak.isa.c_str(), peak.gigaops);
  std::printf(json ? "{\"limit\":\"read\",\"gigabytesPerSecond\":%.2f}\n" : "limit read %28.2f GB/s\n", limits.read_gigabytes);
  std::fflush(stdout);
}

void print(const MicroResult& r, const Limits& limits, bool json) {
  const double of_peak = r.gflops / limits.gigaops(r.type), of_read = r.gigabytes_per_second / limits.read_gigabytes;
  if (json)
    std::printf("{\"op\":\"%s\",\"microseconds\":%.1f,\"gflops\":%.1f,\"gigabytesPerSecond\":%.1f,\"ofPeak\":%.3f,\"ofRead\":%.3f}\n",
                r.name.c_str(), r.microseconds, r.gflops, r.gigabytes_per_second, of_peak, of_read);
  else
    std::printf("%-58s %9.1f us %8.1f GFLOP/s (%3.0f %%) %7.1f GB/s (%3.0f %%)\n", r.name.c_str(), r.microseconds, r.gflops,
                100 * of_peak, r.gigabytes_per_second, 100 * of_read);
  std::fflush(stdout);
}

// What needs no model. Percentages are of the machine's limits: of arithmetic in the operation's type, of reading.
void run_machine(const ModelOptions& options, const Arguments& arguments) {
  const auto device = make_cpu_device({options.threads, options.isa});
  const Limits limits = measure_limits(*device);
  print(limits, arguments.json);
  if (arguments.text("only", "") == "limits") return;
  for (const MicroResult& result : run_micro(*device)) print(result, limits, arguments.json);
}

void run(const Arguments& arguments) {
  const std::string only = arguments.text("only", "");
  ModelOptions options;
  options.threads = arguments.number("threads", 0);
  options.isa = arguments.text("isa", "");
  const std::string weights = arguments.text("weights", ""), lora = arguments.text("lora", ""), kv = arguments.text("kv", "");
  if (!weights.empty()) options.weights = weights == "f32" ? WeightType::f32 : weights == "bf16" ? WeightType::bf16 : WeightType::i8;
  if (lora == "stored") options.adapters_as_stored = true;
  else if (!lora.empty()) options.adapters = lora == "f32" ? LoraType::f32 : lora == "bf16" ? LoraType::bf16 : LoraType::i8;
  if (!kv.empty()) options.kv = kv == "f32" ? KvType::f32 : KvType::f16;
  if (only.empty() || only == "micro" || only == "limits") run_machine(options, arguments);
  if (only == "micro" || only == "limits") return;
  const auto model = Model::load(arguments.model, options);
  if (!arguments.json) std::printf("%s, weights %.1f MB\n", model->device().c_str(), double(model->weight_bytes()) * 1e-6);
  ServeOptions serve;
  serve.requests = arguments.number("requests", serve.requests);
  serve.prompt_tokens = arguments.number("prompt", serve.prompt_tokens);
  serve.new_tokens = arguments.number("new", serve.new_tokens);
  const auto adapters = only == "base" ? std::vector<std::shared_ptr<const Adapter>>()
                                       : load_adapters(*model, arguments, only == "identical" ? 1 : serve.requests, arguments.number("rank", 16));
  if (only.empty() || only == "base") print(run_serve(*model, {}, serve), arguments.json);
  if (only.empty() || only == "identical") print(run_serve(*model, {adapters[0]}, serve), arguments.json);
  if (only.empty() || only == "distinct") print(run_serve(*model, adapters, serve), arguments.json);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  if (arguments.model.empty() && !arguments.needs_no_model()) {
    std::fprintf(stderr, "usage: sgmv_bench MODEL [--only base|identical|distinct|micro|limits] [--requests N] [--rank R] [--json]\n");
    return 2;
  }
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
