// The CPU backend: kernels of one instruction set, a thread pool and each thread's scratch memory.
#pragma once

#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"
#include "cpu/prefetch.h"
#include "cpu/thread_pool.h"
#include "sgmv/device.h"

namespace sgmv {

class CpuDevice : public Device {
 public:
  CpuDevice(const Kernels& kernels, int threads) : kernels_(kernels), pool_(threads), scratch_(static_cast<size_t>(threads)), prefetch_(static_cast<size_t>(threads)) {}

  std::string name() const override;
  int32_t threads() const override { return pool_.threads(); }

  const Kernels& kernels() const { return kernels_; }
  ThreadPool& pool() { return pool_; }

  // Called before a loop, so that no loop body allocates.
  void reserve_scratch(size_t floats) {
    for (auto& scratch : scratch_) scratch.reserve(floats);
  }
  float* scratch(int worker) { return scratch_[static_cast<size_t>(worker)].data(); }
  Prefetch& prefetch(int worker) { return prefetch_[static_cast<size_t>(worker)]; }

 private:
  const Kernels& kernels_;
  ThreadPool pool_;
  std::vector<AlignedBuffer<float>> scratch_;
  std::vector<Prefetch> prefetch_;
};

// The device behind the interface. Throws Error bad_argument when it is of another kind.
CpuDevice& as_cpu(Device& device);

}  // namespace sgmv
