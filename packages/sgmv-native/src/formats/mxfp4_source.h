// Safetensors of a model whose experts' matrices are in MXFP4, as OpenAI publishes GPT-OSS: of all experts of a layer, "<name>_blocks"
// [experts, rows, groups, 16] has the numbers of 32 inputs, two neighbours to a byte, and "<name>_scales" [experts, rows, groups] their
// exponent. They appear as one tensor "<name>" [experts, rows, groups · 32] of ggml's blocks, whose rows can be read apart.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "formats/tensor_source.h"

namespace sgmv {

class Mxfp4Source : public TensorSource {
 public:
  explicit Mxfp4Source(std::unique_ptr<TensorSource> stored) : stored_(std::move(stored)) {}

  const std::map<std::string, TensorInfo>& tensors() const override { return stored_->tensors(); }  // as stored
  // Throws Error for one whose two tensors do not belong together.
  const TensorInfo* find(const std::string& name) const override;
  std::vector<std::byte> read(const TensorInfo& info) const override;

 private:
  struct Opened {
    TensorInfo info;  // its offset counts from its own first block
    const TensorInfo *blocks, *scales;
  };

  std::unique_ptr<TensorSource> stored_;
  // By name. What find() has opened stays where it is: callers keep its TensorInfo. Not for several threads at once.
  mutable std::map<std::string, Opened> opened_;
  mutable std::vector<const Opened*> by_file_;  // TensorInfo::file is -1 - an index here
};

}  // namespace sgmv
