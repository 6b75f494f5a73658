// adapter_model.safetensors beside a sound adapter_config.json.
#include "peft_check.h"

using namespace sgmv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::AdapterFolder files(fuzz::corpus_file("peft_config/all-r2.json"), "");
  files.weights.write(fuzz::as_text(data, size));
  fuzz::check_adapter(files.folder.path());
  return 0;
}
