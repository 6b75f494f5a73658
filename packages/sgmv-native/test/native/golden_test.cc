// Logits against Transformers + PEFT in float32, for every instruction set of this machine.
#include <algorithm>
#include <cstdio>

#include "check.h"
#include "golden_folder.h"
#include "sgmv/device.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

constexpr double kTolerance = 2e-3;

void run_tiny(const std::filesystem::path& folder, const std::string& isa) {
  const GoldenFolder golden(folder);
  const auto model = Model::load(golden.model(), {2, isa, WeightType::f32});
  double worst = 0;
  for (const GoldenCase& one : golden.cases()) {
    std::shared_ptr<const Adapter> adapter;
    if (!one.adapter.empty()) adapter = model->load_adapter(folder / "adapters" / one.adapter);
    Session session(*model, adapter.get(), static_cast<int32_t>(one.prompt.size()));
    const Difference difference = compare(golden.sample(one, session.feed(one.prompt, true)), golden.logits(one));
    CHECK(difference.relative <= kTolerance, one.name, ": ", difference.relative);
    worst = std::max(worst, difference.relative);
  }
  std::printf("      %-14s %-9s worst %.1e of the largest logit\n", folder.filename().c_str(), isa.c_str(), worst);
}

TEST("golden: tiny families, all adapters, every instruction set") {
  for (const std::filesystem::path& folder : golden_families())
    for (const std::string& isa : available_isas()) run_tiny(folder, isa);
}

int32_t largest(const std::vector<float>& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void run_smollm2(const std::filesystem::path& golden_folder, const std::filesystem::path& adapters, const std::string& isa, bool greedy) {
  const GoldenFolder golden(golden_folder);
  const auto model = Model::load(smollm2_weights(), {2, isa, WeightType::f32});
  std::map<std::string, std::shared_ptr<const Adapter>> loaded;
  double worst = 0;
  size_t tokens = 0;
  for (const GoldenCase& one : golden.cases()) {
    if (kSanitized && !one.name.ends_with("/0")) continue;
    if (!one.adapter.empty() && !loaded.contains(one.adapter)) loaded[one.adapter] = model->load_adapter(adapters / one.adapter);
    const Adapter* adapter = one.adapter.empty() ? nullptr : loaded[one.adapter].get();
    Session session(*model, adapter, static_cast<int32_t>(one.prompt.size() + one.greedy.size()));
    std::vector<float> logits = session.feed(one.prompt, false);
    const Difference difference = compare(golden.sample(one, logits), golden.logits(one));
    CHECK(difference.relative <= kTolerance, one.name, ": ", difference.relative);
    worst = std::max(worst, difference.relative);
    for (size_t i = 0; greedy && i < one.greedy.size() && i < (kSanitized ? 4 : SIZE_MAX); ++i) {
      const int32_t token = largest(logits);
      if (token != one.greedy[i] && one.gaps[i] < 1e-3) break;  // a tie up to rounding: the rest may differ
      CHECK(token == one.greedy[i], one.name, " step ", i, ": token ", token, ", expected ", one.greedy[i]);
      ++tokens;
      if (i + 1 < one.greedy.size()) logits = session.feed({token}, false);
    }
  }
  std::printf("      smollm2 %-9s worst %.1e, %zu greedy tokens equal\n", isa.c_str(), worst, tokens);
}

TEST("golden: SmolLM2 and its six adapters, first logits and greedy tokens") {
  const std::filesystem::path adapters = std::filesystem::path(SGMV_REPOSITORY_DIR) / "examples" / "adapters";
  bool first = true;
  for (const std::string& isa : available_isas()) {
    run_smollm2(golden_root() / "smollm2", adapters, isa, first);
    first = false;
    if (kSanitized) break;
  }
}

}  // namespace
}  // namespace sgmv::test
