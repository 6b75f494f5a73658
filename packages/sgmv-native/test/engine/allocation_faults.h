// Memory that runs out when a test wants it to, on the engine's own threads.
#pragma once

#include <cstdint>

namespace sgmv::test {

// From now on allocations of the calling thread may fail. The fake model calls it on every thread it meets.
void expose_to_faults();

// While one lives, no allocation of its thread fails.
class FaultShelter {
 public:
  FaultShelter();
  ~FaultShelter();

 private:
  bool exposed_;
};

// Of the allocations on exposed threads, `pass` succeed, then `fail` throw bad_alloc, then all succeed again.
void plan_faults(int64_t pass, int64_t fail);
// How many have failed since they were planned.
int64_t faults_met();

}  // namespace sgmv::test
