// Which adapter each request of a batch uses, after Punica; benchmarks/popularity.mjs says the same.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace sgmv::bench {

enum class Popularity { distinct, uniform, skewed, identical };
inline constexpr std::array<Popularity, 4> kPopularities = {Popularity::distinct, Popularity::uniform, Popularity::skewed, Popularity::identical};

inline const char* name_of(Popularity p) {
  constexpr std::array<const char*, 4> names = {"distinct", "uniform", "skewed", "identical"};
  return names[static_cast<size_t>(p)];
}

// By adapter, so that those with the same are neighbours.
inline std::vector<int> adapters_of(Popularity popularity, int requests) {
  std::vector<int> adapters;
  double share = 1;
  for (int i = 0; static_cast<int>(adapters.size()) < requests; ++i, share *= 1.5) {
    const int left = requests - static_cast<int>(adapters.size());
    int count = 1;
    if (popularity == Popularity::identical) count = requests;
    if (popularity == Popularity::skewed) count = std::max(1, static_cast<int>(std::lround(share)));
    if (popularity == Popularity::uniform) {
      const int kinds = static_cast<int>(std::ceil(std::sqrt(requests)));
      count = requests / kinds + (i < requests % kinds ? 1 : 0);
    }
    adapters.insert(adapters.end(), static_cast<size_t>(std::min(count, left)), i);
  }
  return adapters;
}

}  // namespace sgmv::bench
