// Where computation happens. One device has one pool of threads; ops on it are called from one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sgmv {

struct DeviceOptions {
  int32_t threads = 0;  // 0: one per available core (affinity and cgroup quota respected)
  std::string isa;      // "", "avx512", "avx2", "portable"; empty: the best this machine has
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;  // e.g. "cpu avx512 2 threads"
  virtual int32_t threads() const = 0;
};

// Throws Error bad_argument for an instruction set this machine lacks or a thread count outside 0–1024.
std::shared_ptr<Device> make_cpu_device(const DeviceOptions& options);

struct DeviceInfo {
  std::string name;         // what ModelOptions::device calls it: "cpu", "cuda:0" …
  std::string description;  // e.g. "NVIDIA H100 80GB HBM3, compute capability 9.0"
  size_t memory_bytes = 0;  // of its own; 0: the host's
};
// The CPU first. `why_no_cuda`: what is missing if that is all: a build with CUDA, a driver, a device.
std::vector<DeviceInfo> available_devices(std::string* why_no_cuda = nullptr);

std::vector<std::string> available_isas();  // of this machine and binary, best first
int32_t available_cores();                  // that this process may use

}  // namespace sgmv
