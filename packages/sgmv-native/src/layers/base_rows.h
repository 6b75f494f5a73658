// The base model's weights as an adapter sees them while it is loaded: DoRA needs their norms, and a file that brings
// base weights along is compared with them.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/dtype.h"
#include "formats/peft_targets.h"

namespace sgmv {

class BaseRows {
 public:
  virtual ~BaseRows() = default;
  virtual void copy_row(const LoraTarget& target, int64_t row, float* out) const = 0;  // of the stored matrix: [inputs], embed_tokens [hidden]
  // How far a kept number may be from the one in the checkpoint, relative to the largest of its row.
  virtual float tolerance(const LoraTarget& target) const = 0;
  // Of a GGUF file the type that the matrix has there, where the checkpoint's own numbers were rounded to it.
  virtual DType stored_type(const LoraTarget&) const { return DType::f32; }
  virtual std::vector<float> head_bias() const { return {}; }  // of lm_head; empty: none
};

}  // namespace sgmv
