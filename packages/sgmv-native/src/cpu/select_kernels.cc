#include "cpu/select_kernels.h"

#include "sgmv/device.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

bool machine_has_avx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

bool machine_has_vnni() {
#if defined(__x86_64__)
  return machine_has_avx512() && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

bool machine_has_bf16() {
#if defined(__x86_64__)
  return machine_has_vnni() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

// Every processor with AVX2 also has F16C, which older compilers cannot ask for by name.
bool machine_has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

struct Choice {
  const char* name;
  const Kernels* table;  // null: not built, or the machine cannot run it
};

std::vector<Choice> choices() {
  return {{"avx512_bf16", machine_has_bf16() ? kernels_avx512_bf16() : nullptr},
          {"avx512_vnni", machine_has_vnni() ? kernels_avx512_vnni() : nullptr},
          {"avx512", machine_has_avx512() ? kernels_avx512() : nullptr},
          {"avx2", machine_has_avx2() ? kernels_avx2() : nullptr},
          {"neon", kernels_neon()},
          {"portable", kernels_portable()}};
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Choice& choice : choices())
    if (choice.table != nullptr) names.emplace_back(choice.name);
  return names;
}

const Kernels& select_kernels(const std::string& isa) {
  std::string available;
  for (const Choice& choice : choices()) {
    if (choice.table == nullptr) continue;
    if (isa.empty() || isa == choice.name) return *choice.table;
    available += (available.empty() ? "" : ", ") + std::string(choice.name);
  }
  throw Error("bad_argument", "isa: found \"" + isa + "\", expected one that this machine can run: " + available);
}

}  // namespace sgmv
