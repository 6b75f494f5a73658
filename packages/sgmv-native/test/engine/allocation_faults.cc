#include "allocation_faults.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace sgmv::test {
namespace {

thread_local bool exposed = false;
std::atomic<int64_t> passing{0};
std::atomic<int64_t> failing{0};
std::atomic<int64_t> met{0};

bool fails() {
  if (!exposed || failing.load(std::memory_order_relaxed) <= 0) return false;
  if (passing.fetch_sub(1) > 0) return false;
  if (failing.fetch_sub(1) <= 0) return false;
  met.fetch_add(1);
  return true;
}

}  // namespace

void expose_to_faults() { exposed = true; }

FaultShelter::FaultShelter() : exposed_(exposed) { exposed = false; }
FaultShelter::~FaultShelter() { exposed = exposed_; }

void plan_faults(int64_t pass, int64_t fail) {
  failing = 0;
  passing = pass;
  met = 0;
  failing = fail;
}

int64_t faults_met() { return met; }

}  // namespace sgmv::test

void* operator new(std::size_t size) {
  if (sgmv::test::fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return sgmv::test::fails() ? nullptr : std::malloc(size > 0 ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
