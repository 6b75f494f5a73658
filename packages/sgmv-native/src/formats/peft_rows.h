// Rows of the embedding and of the head that are an adapter's own, in place of the base model's (PEFT's trainable_token_indices).
#pragma once

#include <string_view>
#include <vector>

#include "formats/peft_adapter.h"

namespace sgmv {

// Which rows the configuration names, without their tensors. On tied weights a row of the embedding is one of the head too, unless
// the configuration names others there. What PEFT has not or cannot tie is added to `problems`.
std::vector<PeftRows> resolve_rows(const PeftConfig& peft, const ModelConfig& model, const std::vector<LoraTarget>& targets, std::string_view prefix, ProblemList& problems);

}  // namespace sgmv
