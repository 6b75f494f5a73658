// The names of number types on the JavaScript side.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "sgmv/number_types.h"

namespace sgmv::binding {

template <typename Type>
using TypeName = std::pair<const char*, Type>;

inline constexpr TypeName<WeightType> kWeightTypes[] = {
    {"f32", WeightType::f32}, {"f16", WeightType::f16}, {"bf16", WeightType::bf16}, {"int8", WeightType::i8}, {"fp8", WeightType::fp8}};
inline constexpr TypeName<LoraType> kLoraTypes[] = {{"f32", LoraType::f32}, {"f16", LoraType::f16}, {"bf16", LoraType::bf16}, {"int8", LoraType::i8}};
inline constexpr TypeName<KvType> kKvTypes[] = {{"f32", KvType::f32}, {"f16", KvType::f16}, {"bf16", KvType::bf16}};

// Nothing for "auto" and what is no type's name: lib/check.ts has let only names through.
template <typename Type, size_t kCount>
std::optional<Type> type_named(const TypeName<Type> (&names)[kCount], const std::string& name) {
  for (const auto& [known, type] : names)
    if (name == known) return type;
  return std::nullopt;
}

template <typename Type, size_t kCount>
const char* name_of(const TypeName<Type> (&names)[kCount], Type type) {
  for (const auto& [name, known] : names)
    if (type == known) return name;
  return "";
}

}  // namespace sgmv::binding
