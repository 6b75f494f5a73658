"""Drives the `openai` Python client for openai-python.test.ts: two tenants at once, whole and streamed, as JSON on stdout."""
import asyncio
import json
import sys

from openai import AsyncOpenAI, NotFoundError, OpenAI


async def ask(client, model, prompt):
    request = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": 64,
    }

    async def whole():
        answer = await client.chat.completions.create(**request)
        return answer.choices[0].message.content, answer.usage.total_tokens

    async def streamed():
        pieces, total = [], None
        chunks = await client.chat.completions.create(
            **request, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                pieces.append(chunk.choices[0].delta.content)
            if chunk.usage:
                total = chunk.usage.total_tokens
        return pieces, total

    (text, tokens), (pieces, streamed_tokens) = await asyncio.gather(whole(), streamed())
    return {"text": text, "tokens": tokens, "pieces": pieces, "streamedTokens": streamed_tokens}


async def main(base_url, requests):
    clients = [AsyncOpenAI(api_key=request["apiKey"], base_url=base_url, max_retries=0) for request in requests]
    answers = await asyncio.gather(
        *(ask(client, request["adapter"], request["prompt"]) for client, request in zip(clients, requests))
    )
    stranger = OpenAI(api_key=requests[0]["apiKey"], base_url=base_url, max_retries=0)
    try:
        stranger.chat.completions.create(model=requests[1]["adapter"], messages=[{"role": "user", "content": "Hi"}])
        refused = None
    except NotFoundError as error:
        refused = error.code
    print(json.dumps({"answers": answers, "refused": refused}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
