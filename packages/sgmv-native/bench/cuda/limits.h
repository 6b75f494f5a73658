// What the device could do at most: what all other times are held against.
#pragma once

#include "measure.h"
#include "rows.h"

namespace sgmv::bench {

struct Limits {
  double copy_bytes_per_us = 0;  // read and written, both counted
  double floor_us(double bytes) const { return bytes / copy_bytes_per_us; }
};

Limits measure_limits(Measure& measure, Rows& rows);

}  // namespace sgmv::bench
