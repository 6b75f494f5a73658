// One device and its streams, shared by a model, its caches and its adapters. Each stream is used in order: `compute` by
// the thread that runs the model, `side` only within what `compute` forks, `copies` by the threads that load adapters.
#pragma once

#include <string>

#include "cuda/stream.h"

namespace sgmv::cuda {

class Context {
 public:
  // Throws Error device_unavailable.
  explicit Context(int device);

  // Calls of this thread are about this device from here on.
  void use() const { check(cudaSetDevice(device_), "choosing the device"); }
  int device() const { return device_; }
  // Gives memory that dropped adapters had back to the device, once their stream is done with it.
  void release_unused();
  std::string name() const;  // "cuda:0 NVIDIA H100 80GB HBM3"

 private:
  struct Chosen {
    explicit Chosen(int device) { check(cudaSetDevice(device), "choosing the device"); }
  };
  int device_;
  Chosen chosen_;  // before the streams, which belong to it

 public:
  Stream compute, side, copies;
};

}  // namespace sgmv::cuda
