-- Tokens of the request's prediction that its answers have, and that they have not. Null: nothing was predicted.
ALTER TABLE "generations" ADD COLUMN "accepted_prediction_tokens" INTEGER, ADD COLUMN "rejected_prediction_tokens" INTEGER;
