-- Of the completion tokens, those of thoughts. Null: the generation has not ended, or did before they were counted.
ALTER TABLE "generations" ADD COLUMN "reasoning_tokens" INTEGER;
