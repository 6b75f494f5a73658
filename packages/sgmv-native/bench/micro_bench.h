// Single operations at the shapes of a decode and of a prefill step.
#pragma once

#include <string>
#include <vector>

#include "sgmv/device.h"

namespace sgmv::bench {

struct MicroResult {
  std::string name;
  double microseconds = 0;  // best of many
  double gflops = 0;
  double gigabytes_per_second = 0;  // of weights, or of keys and values, read
  std::string type = "f32";         // of the numbers multiplied: which peak it could reach
};

std::vector<MicroResult> run_micro(Device& device);

}  // namespace sgmv::bench
