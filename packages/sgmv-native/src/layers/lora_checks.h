// What every backend asks of an adapter's files while it packs them.
#pragma once

#include <vector>

#include "formats/peft_adapter.h"
#include "layers/base_rows.h"

namespace sgmv {

// Throws Error adapter_refused with the first problem, if there is one.
void refuse_if_any(ProblemList& problems);

std::vector<float> widened(const std::vector<std::byte>& data, DType dtype);

// PEFT replaces the base model's embedding and head by those in the file; here they must be the same, up to how
// precisely both are kept.
void check_base_layer(const PeftPair& pair, const PeftAdapter& source, const BaseRows& base, ProblemList& problems);

}  // namespace sgmv
