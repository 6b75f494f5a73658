// The compiler calls these functions at every load and store of the .cu files: they are compiled for ThreadSanitizer, which is
// not linked. What it would not see as one access of a lane (ldmatrix, cp.async) grid.cc and ptx.cuh report themselves.
#include "access.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "fiber.h"
#include "grid.h"

extern "C" char __bss_start, _end;  // the linker's

namespace sgmv::emulator {
namespace {

constexpr size_t kSector = 32, kWord = 4, kBanks = 32;
constexpr int kBlocksMax = 6;  // of a launch

struct Site {
  const void* code;
  bool write, shared;
  size_t bytes;  // of one lane
  auto operator<=>(const Site&) const = default;
};

// One warp's lanes at one execution of a site.
struct Request {
  uint32_t lanes = 0;
  std::array<uintptr_t, kWarpSize> at;
};

struct Totals {
  int64_t requests = 0, lanes = 0;
  int64_t bytes = 0, sectors = 0, least = 0;  // global: different bytes that were asked for, sectors, the least that hold as many bytes
  int64_t passes = 0, turns = 0;              // shared: taken, and needed without conflicts
};

struct SiteOfBlock {
  std::vector<uint32_t> executed;             // by thread
  std::vector<std::vector<Request>> of_warp;  // by warp, then by execution
};

struct Kernel {
  int64_t blocks = 0;
  std::map<Site, Totals> sites;
};

std::map<const void*, Kernel> kernels;
std::map<Site, SiteOfBlock> sites;  // of the open block
Kernel* kernel = nullptr;           // null: nothing is recorded
int blocks_of_launch = 0;
RecordedBlock open;

bool holds(std::span<const std::byte> memory, uintptr_t address) { return address - reinterpret_cast<uintptr_t>(memory.data()) < memory.size(); }

size_t thread_number() { return (size_t{place.thread.z} * place.block_size.y + place.thread.y) * place.block_size.x + place.thread.x; }

// 8 and 16 bytes a lane are served to halves and quarters of a warp.
void count_shared(const Request& request, size_t bytes, Totals& totals) {
  const int lanes = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  for (int first = 0; first < kWarpSize; first += lanes) {
    std::array<std::set<uintptr_t>, kBanks> words;
    for (int lane = first; lane < first + lanes; ++lane)
      if (request.lanes >> lane & 1)
        for (uintptr_t word = request.at[static_cast<size_t>(lane)] / kWord; word <= (request.at[static_cast<size_t>(lane)] + bytes - 1) / kWord; ++word) words[word % kBanks].insert(word);
    size_t most = 0;
    for (const auto& bank : words) most = std::max(most, bank.size());
    totals.passes += static_cast<int64_t>(most);
    totals.turns += most > 0;
  }
}

void count_global(const Request& request, size_t bytes, Totals& totals) {
  std::set<uintptr_t> all, sectors;
  for (int lane = 0; lane < kWarpSize; ++lane)
    if (request.lanes >> lane & 1)
      for (size_t i = 0; i < bytes; ++i) all.insert(request.at[static_cast<size_t>(lane)] + i);
  for (const uintptr_t byte : all) sectors.insert(byte / kSector);
  totals.bytes += static_cast<int64_t>(all.size());
  totals.sectors += static_cast<int64_t>(sectors.size());
  totals.least += static_cast<int64_t>((all.size() + kSector - 1) / kSector);
}

void record(const void* at, size_t bytes, bool write, const void* code) {
  if (kernel == nullptr) return;
  const auto address = reinterpret_cast<uintptr_t>(at);
  const bool is_register = Fiber::is_own(at);
  if (is_register || holds(std::as_bytes(std::span(&place, 1)), address) || holds(open.meetings, address)) return;
  // Arrays that a kernel declares shared are static here.
  const bool shared = holds(open.shared, address) || (address >= reinterpret_cast<uintptr_t>(&__bss_start) && address < reinterpret_cast<uintptr_t>(&_end));
  SiteOfBlock& site = sites[{code, write, shared, bytes}];
  if (site.executed.empty()) {
    site.executed.resize(open.threads);
    site.of_warp.resize((open.threads + kWarpSize - 1) / kWarpSize);
  }
  const size_t thread = thread_number(), lane = thread % kWarpSize;
  std::vector<Request>& requests = site.of_warp[thread / kWarpSize];
  const uint32_t execution = site.executed[thread]++;
  if (requests.size() <= execution) requests.resize(execution + 1);
  requests[execution].lanes |= 1u << lane;
  requests[execution].at[lane] = address;
}

}  // namespace

void open_access_block(const RecordedBlock& block) {
  blocks_of_launch = place.block.x + place.block.y + place.block.z == 0 ? 0 : blocks_of_launch + 1;
  if (blocks_of_launch >= kBlocksMax) return;
  open = block;
  kernel = &kernels[block.kernel];
  kernel->blocks += 1;
}

void close_access_block() {
  if (kernel == nullptr) return;
  for (const auto& [site, of_block] : sites)
    for (const std::vector<Request>& requests : of_block.of_warp)
      for (const Request& request : requests) {
        Totals& totals = kernel->sites[site];
        totals.requests += 1;
        totals.lanes += __builtin_popcount(request.lanes);
        site.shared ? count_shared(request, site.bytes, totals) : count_global(request, site.bytes, totals);
      }
  sites.clear();
  kernel = nullptr;
}

void note_access(const void* at, size_t bytes, bool write, const void* code) { record(at, bytes, write, code); }

Served take_served() {
  Totals global[2], shared;
  for (const auto& [address, one] : kernels)
    for (const auto& [site, t] : one.sites)
      if (site.shared) shared.passes += t.passes, shared.turns += t.turns;
      else global[site.write].least += t.least, global[site.write].sectors += t.sectors;
  kernels.clear();
  const auto share = [](int64_t part, int64_t whole) { return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole); };
  return {share(global[0].least, global[0].sectors), share(global[1].least, global[1].sectors), share(shared.passes, shared.turns)};
}

void report_accesses() {
  for (const auto& [address, one] : kernels)
    for (const auto& [site, t] : one.sites)
      std::printf("access\t%p\t%lld\t%p\t%s\t%s\t%zu\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\n", address, static_cast<long long>(one.blocks), site.code,
                  site.shared ? "shared" : "global", site.write ? "write" : "read", site.bytes, static_cast<long long>(t.requests), static_cast<long long>(t.lanes),
                  static_cast<long long>(t.bytes), static_cast<long long>(t.sectors), static_cast<long long>(t.least), static_cast<long long>(t.passes), static_cast<long long>(t.turns));
}

}  // namespace sgmv::emulator

#define HOOK(NAME, BYTES, WRITE) \
  extern "C" void NAME(void* at) { sgmv::emulator::record(at, BYTES, WRITE, __builtin_return_address(0)); }
HOOK(__tsan_read1, 1, false) HOOK(__tsan_read2, 2, false) HOOK(__tsan_read4, 4, false) HOOK(__tsan_read8, 8, false) HOOK(__tsan_read16, 16, false)
HOOK(__tsan_write1, 1, true) HOOK(__tsan_write2, 2, true) HOOK(__tsan_write4, 4, true) HOOK(__tsan_write8, 8, true) HOOK(__tsan_write16, 16, true)
HOOK(__tsan_unaligned_read2, 2, false) HOOK(__tsan_unaligned_read4, 4, false) HOOK(__tsan_unaligned_read8, 8, false) HOOK(__tsan_unaligned_read16, 16, false)
HOOK(__tsan_unaligned_write2, 2, true) HOOK(__tsan_unaligned_write4, 4, true) HOOK(__tsan_unaligned_write8, 8, true) HOOK(__tsan_unaligned_write16, 16, true)
extern "C" {
void __tsan_read_range(void* at, size_t bytes) { sgmv::emulator::record(at, bytes, false, __builtin_return_address(0)); }
void __tsan_write_range(void* at, size_t bytes) { sgmv::emulator::record(at, bytes, true, __builtin_return_address(0)); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
// Host code's.
uint8_t __tsan_atomic8_load(const volatile uint8_t* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
uint32_t __tsan_atomic32_load(const volatile uint32_t* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
uint32_t __tsan_atomic32_fetch_add(volatile uint32_t* at, uint32_t by, int) { return __atomic_fetch_add(at, by, __ATOMIC_SEQ_CST); }
uint64_t __tsan_atomic64_fetch_add(volatile uint64_t* at, uint64_t by, int) { return __atomic_fetch_add(at, by, __ATOMIC_SEQ_CST); }
int __tsan_atomic32_compare_exchange_weak(volatile uint32_t* at, uint32_t* expected, uint32_t wanted, int, int) {
  return __atomic_compare_exchange_n(at, expected, wanted, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
}
