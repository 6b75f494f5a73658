#include "spelling.h"

#include <algorithm>

namespace sgmv {

Spelling::Spelling(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  for (size_t token = 0; token < vocabulary_.size(); ++token)
    if (vocabulary_[token] && !vocabulary_[token]->empty()) sorted_.push_back(static_cast<int32_t>(token));
  std::ranges::stable_sort(sorted_, {}, [this](int32_t token) -> const std::string& { return *text(token); });
}

const std::string* Spelling::text(int32_t token) const noexcept {
  const auto place = static_cast<size_t>(token);
  return place < vocabulary_.size() && vocabulary_[place] ? &*vocabulary_[place] : nullptr;
}

std::optional<int32_t> Spelling::longest(std::string_view wanted) const noexcept {
  std::optional<int32_t> found;
  auto candidates = std::ranges::subrange(sorted_);  // that agree with all bytes before `place`
  for (size_t place = 0; place < wanted.size() && !candidates.empty(); ++place) {
    const auto byte = [&](int32_t token) {
      const std::string& bytes = *text(token);
      return place < bytes.size() ? int{static_cast<unsigned char>(bytes[place])} : -1;
    };
    candidates = std::ranges::equal_range(candidates, int{static_cast<unsigned char>(wanted[place])}, {}, byte);
    if (!candidates.empty() && text(candidates.front())->size() == place + 1) found = candidates.front();
  }
  return found;
}

}  // namespace sgmv
