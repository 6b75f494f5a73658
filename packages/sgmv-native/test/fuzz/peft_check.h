// What must hold for any adapter folder: inspecting it never throws, and loading it succeeds exactly when inspecting
// it finds nothing wrong, except for what only a model can tell: base weights in the file that are not its own.
#pragma once

#include <filesystem>
#include <string_view>

#include "formats/peft_config.h"
#include "fuzz_files.h"
#include "fuzz_model.h"
#include "layers/lora_adapter.h"
#include "native/ones_base.h"
#include "sgmv/error.h"

namespace sgmv::fuzz {

struct AdapterFolder {
  MemoryFile config, weights;
  MemoryFolder folder;

  AdapterFolder(std::string_view config_text, std::string_view weights_bytes) {
    config.write(config_text);
    weights.write(weights_bytes);
    folder.add(kAdapterConfigFile, config);
    folder.add(kAdapterWeightsFile, weights);
  }
};

inline void check_adapter(const std::filesystem::path& folder) {
  const ModelConfig model = fuzz_model();
  const AdapterReport report = inspect_adapter(folder, model);
  try {
    const auto adapter = load_lora_adapter(folder, model, std::nullopt, test::OnesBase(model));
    require(report.problems.empty(), "an adapter with problems was loaded");
    require(adapter->bytes() == 0 || adapter->rank_max() >= 1, "an adapter without rank was loaded");
  } catch (const Error& error) {
    require(error.code() == "adapter_refused", "an adapter was refused with another code");
    const bool other_base = std::string_view(error.what()).find("the base model's own weights") != std::string_view::npos;
    require(!report.problems.empty() || other_base, "an adapter without problems was refused");
  }
}

}  // namespace sgmv::fuzz
