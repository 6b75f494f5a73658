// A PEFT LoRA adapter on disk, checked against a model.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "formats/peft_config.h"
#include "formats/peft_targets.h"
#include "formats/safetensors.h"

namespace sgmv {

// A target with its two tensors: A [rank, in], B [out, rank].
struct PeftPair {
  LoraTarget target;
  TensorInfo a, b;
  std::string a_name, b_name;
};

class PeftAdapter {
 public:
  // Reads the configuration and the tensor headers. Everything wrong goes to `problems`. Throws Error
  // adapter_not_found when the folder cannot be read.
  PeftAdapter(const std::filesystem::path& folder, const ModelConfig& model, ProblemList& problems);

  const PeftConfig& config() const { return config_; }
  const std::vector<PeftPair>& pairs() const { return pairs_; }  // in order of layer, then projection
  bool readable() const { return file_ != nullptr && readable_; }

  // A tensor's data; NaN and Inf in it are added to `problems`.
  std::vector<std::byte> read_checked(const std::string& name, const TensorInfo& info, ProblemList& problems) const;

 private:
  void open_config(const std::filesystem::path& folder, ProblemList& problems);
  void open_weights(const std::filesystem::path& folder, ProblemList& problems);

  PeftConfig config_;
  std::unique_ptr<SafetensorsFile> file_;
  std::vector<PeftPair> pairs_;
  bool readable_ = false;
};

// The tensor headers against the targets (peft_tensors.cc): every target has its pair, every tensor its target, and
// shapes and types fit.
std::vector<PeftPair> match_tensors(const TensorSource& file, const std::vector<LoraTarget>& targets, const ModelConfig& model, ProblemList& problems);

}  // namespace sgmv
