#include "prefix_index.h"

#include <algorithm>

namespace sgmv {
namespace {

// The finalizer of MurmurHash3: every bit of the input moves every bit of the outcome.
uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E37'79B9'7F4A'7C15u;
  hash = (hash ^ (hash >> 33)) * 0xFF51'AFD7'ED55'8CCDu;
  return hash ^ (hash >> 33);
}

}  // namespace

uint64_t PrefixIndex::hash(const PrefixView& view) {
  uint64_t hash = mix(mix(mix(0, view.parent), view.scope.adapter), static_cast<uint32_t>(view.scope.adapted_from));
  if (view.parent == 0) hash = mix(mix(hash, std::hash<std::string_view>()(view.scope.salt)), view.scope.long_context);
  for (const int32_t token : view.tokens) hash = mix(hash, static_cast<uint32_t>(token));
  return hash;
}

bool PrefixIndex::Equal::same(const PrefixView& a, const PrefixView& b) {
  if (a.parent != b.parent || a.scope.adapter != b.scope.adapter || a.scope.adapted_from != b.scope.adapted_from) return false;
  if (a.parent == 0 && a.scope != b.scope) return false;
  return std::equal(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end());
}

int32_t PrefixIndex::find(const PrefixView& view) const {
  const auto found = entries_.find(view);
  return found == entries_.end() ? -1 : found->second;
}

const PrefixIndex::Key* PrefixIndex::insert(const PrefixView& view, int32_t block) {
  Key key{view.parent, view.scope.adapter, view.scope.adapted_from, {}, false, {view.tokens.begin(), view.tokens.end()}};
  if (view.parent == 0) {
    key.salt = view.scope.salt;
    key.long_context = view.scope.long_context;
  }
  return &entries_.emplace(std::move(key), block).first->first;
}

void PrefixIndex::erase(const Key& key) noexcept { entries_.erase(entries_.find(key)); }

}  // namespace sgmv
