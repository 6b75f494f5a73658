-- Several answers to one prompt. `choices` holds them all where there is more than one, and goes with `text`.
ALTER TABLE "generations"
  ADD COLUMN "n" INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN "choices" JSONB,
  ADD COLUMN "cached_tokens" INTEGER;
