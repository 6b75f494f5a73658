// What an MLP makes of what its first matrices gave: the gate lets its other half through; without one, its activation.
#pragma once

#include "cpu/kernels.h"
#include "sgmv/model_config.h"

namespace sgmv {

class Gate {
 public:
  explicit Gate(const ModelConfig& config) : activation_(config.activation), sharpness_(config.gate_sharpness), limit_(config.gate_limit), gated_(config.gated_mlp) {}

  // `up` is not read without a gate.
  void run(const Kernels& kernels, const float* gate, const float* up, int64_t n, float* out, const Xielu& of_layer = {}) const {
    switch (activation_) {
      case Activation::silu: return kernels.swiglu(gate, up, n, out);
      case Activation::gelu_tanh: return gated_ ? kernels.geglu(gate, up, n, out) : kernels.gelu(gate, n, out);
      case Activation::relu2: return kernels.relu2(gate, n, out);  // never of a gate
      case Activation::xielu: return kernels.xielu(gate, n, of_layer.positive, of_layer.negative, of_layer.beta, out);
      case Activation::clamped_silu: return kernels.clamped_swiglu(gate, up, n, sharpness_, limit_, out);
    }
  }

 private:
  Activation activation_;
  float sharpness_, limit_;
  bool gated_;
};

}  // namespace sgmv
