# The issue's targets, a line each, from rows {"id":…,"value":…,"target":…,"unit":…}. The variables tests, lora, peers, model,
# peft and sanitizers say why a figure is missing.
{
  if (match($0, /"id": ?"[^"]*"/) == 0) next
  id = substr($0, RSTART, RLENGTH)
  gsub(/^"id": ?"|"$/, "", id)
  match($0, /"value": ?[^,]*/)
  value = substr($0, RSTART, RLENGTH)
  sub(/^"value": ?/, "", value)
  values[id] = value + 0
}

function line(number, measure, value, sign, target, reason) {
  if (value == "")
    printf "| %s | %s | | %s %s | %s |\n", number, measure, sign, target, reason
  else
    printf "| %s | %s | %.3g | %s %s | %s |\n", number, measure, value, sign, target, (sign == "≤" ? value <= target : value >= target) ? "met" : "not met"
}

function of(id) { return id in values ? values[id] : "" }

# How many times as long the faster peer takes; the least of all batches and popularities in `least`.
function compare_peers(    n, i, names, parts, ratio) {
  for (id in values) {
    if (id !~ /^peers\.lora\..*\.best\.us$/) continue
    split(id, parts, ".")
    if (!(("lora." parts[3] "." parts[4] ".us") in values)) continue
    ratio = values[id] / values["lora." parts[3] "." parts[4] ".us"]
    if (least == "" || ratio < least) { least = ratio; least_at = parts[3] " " parts[4] }
    if (parts[3] == "distinct" && parts[4] == 64) at_64 = ratio
  }
}

END {
  least = ""; at_64 = ""; least_at = "none"
  compare_peers()
  line("1", "LoRA op, 64 distinct: time / time of its adapters' bytes", of("lora.distinct.64.time/adapter-floor"), "≤", 1.5, lora)
  line("1", "the same with adapters in 8 bits, of their bytes", of("lora.distinct.int8.64.time/adapter-floor"), "≤", 1.5, lora)
  line("2", "LoRA op against PyTorch's best: distinct 64", at_64, "≥", 3, peers)
  line("2", "the same, least of all batches and popularities (" least_at ")", least, "≥", 1, peers)
  line("3", "decode step, 32 requests, context 512: time / time of its bytes", of("model.7b.step.base.time/byte-floor"), "≤", 1.25, model)
  line("4", "step with 32 distinct adapters / base only", of("model.7b.step.distinct/base"), "≤", 1.08, model)
  line("4", "the same with adapters in 8 bits", of("model.7b.int8-adapters.step.distinct/base"), "≤", 1.08, model)
  line("5", "tokens per second, distinct / identical", of("model.7b.served.distinct/identical"), "≥", 0.95, model)
  line("5", "the same with adapters in 8 bits", of("model.7b.int8-adapters.served.distinct/identical"), "≥", 0.95, model)
  ours = of("textgen.distinct.ours.throughput"); theirs = of("textgen.distinct.peft.throughput")
  line("6", "textgen-lora, distinct: against Transformers + PEFT", ours != "" && theirs > 0 ? ours / theirs : "", "≥", 12, peft)
  golden = of("tests.golden.passed") + of("tests.golden.failed") > 0 ? of("tests.golden.failed") : ""
  line("7", "golden tests that fail, of " (golden == "" ? 0 : of("tests.golden.passed") + golden), golden, "≤", 0, golden == "" && tests ~ /gave no such/ ? "not run: none of that name" : tests)
  line("7b", "batch-invariant mode / default", of("model.7b.served.batch-invariant/default"), "≥", 0.9, model)
  line("8", "memcheck: errors", of("sanitizer.memcheck.errors"), "≤", 0, sanitizers)
  line("8", "racecheck: hazards", of("sanitizer.racecheck.errors"), "≤", 0, sanitizers)
}
