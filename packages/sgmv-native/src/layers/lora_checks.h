// What every backend asks of an adapter's files while it packs them.
#pragma once

#include <span>
#include <vector>

#include "formats/peft_adapter.h"
#include "layers/base_rows.h"

namespace sgmv {

// Throws Error adapter_refused with the first problem, if there is one.
void refuse_if_any(ProblemList& problems);

std::vector<float> widened(const std::vector<std::byte>& data, DType dtype);

// Whether `own`, as a base model keeps them, may be the checkpoint's `values`. `stored`: the type that they were rounded to in between;
// `tolerance`: how far a number may be off for any other reason, relative to the largest of the row. Where a type has steps, the differences'
// mean square may be that of their blocks' steps, and half of the row's own. Rounding to the nearest gives a twelfth of a step's square;
// quantizers that weigh inputs cut off more of some, and another model's numbers differ by twice what there is.
bool may_be_row(std::span<const float> values, std::span<const float> own, DType stored, float tolerance);

// Writes `values` [tokens, width], which are in the order of the file, to `to` by ascending token, and returns the tokens so.
std::vector<int32_t> sort_rows(const PeftRows& rows, int64_t width, std::span<const float> values, float* to);

// PEFT replaces the base model's embedding and head by those in the file; here they must be the same, up to how
// precisely both are kept.
void check_base_layer(const PeftPair& pair, const PeftAdapter& source, const BaseRows& base, ProblemList& problems);

}  // namespace sgmv
