// adapter_config.json beside a sound adapter_model.safetensors.
#include "peft_check.h"

using namespace sgmv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::AdapterFolder files("", fuzz::corpus_file("peft_tensors/all-r2.safetensors"));
  files.config.write(fuzz::as_text(data, size));
  fuzz::check_adapter(files.folder.path());
  return 0;
}
