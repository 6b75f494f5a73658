// What the gate of an MLP lets through of its other half.
#pragma once

#include "cpu/kernels.h"
#include "sgmv/model_config.h"

namespace sgmv {

class Gate {
 public:
  explicit Gate(const ModelConfig& config) : activation_(config.activation), sharpness_(config.gate_sharpness), limit_(config.gate_limit) {}

  void run(const Kernels& kernels, const float* gate, const float* up, int64_t n, float* out) const {
    switch (activation_) {
      case Activation::silu: return kernels.swiglu(gate, up, n, out);
      case Activation::gelu_tanh: return kernels.geglu(gate, up, n, out);
      case Activation::clamped_silu: return kernels.clamped_swiglu(gate, up, n, sharpness_, limit_, out);
    }
  }

 private:
  Activation activation_;
  float sharpness_, limit_;
};

}  // namespace sgmv
