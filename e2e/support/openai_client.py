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


CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}, "capital": {"type": "boolean"}},
    "required": ["city", "capital"],
    "additionalProperties": False,
}


async def extras(client, model, prompt):
    """Several choices with log probabilities, whole and streamed, and an answer that matches a schema."""
    request = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": 64,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 2,
    }
    whole = await client.chat.completions.create(**request)
    streamed = ["", ""]
    async for chunk in await client.chat.completions.create(**request, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    older = await client.completions.create(model="smollm2-135m-instruct", prompt="One, two, three,", max_tokens=4, temperature=0, logprobs=2)
    constrained = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Say something about Rome."}],
        temperature=0,
        max_tokens=64,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}},
    )
    guided = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Rome or Paris?"}],
        extra_body={"guided_choice": ["Rome", "Paris"], "repetition_penalty": 1.1, "min_p": 0.05},
    )
    return {
        "texts": [choice.message.content for choice in whole.choices],
        "spelled": [spell(choice.logprobs.content) for choice in whole.choices],
        "alternatives": sorted({len(token.top_logprobs) for token in whole.choices[0].logprobs.content}),
        "streamed": streamed,
        "olderTokens": len(older.choices[0].logprobs.tokens),
        "cachedTokens": whole.usage.prompt_tokens_details.cached_tokens,
        "constrained": constrained.choices[0].message.content,
        "guided": guided.choices[0].message.content,
    }


async def calls(client, model, prompt):
    """A function that must be called, as chats and as responses have it, and a response whole and streamed."""
    function = {"name": "describe_city", "description": "Describe a city", "parameters": CITY}
    chat = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Say something about Rome."}],
        temperature=0,
        max_tokens=64,
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "describe_city"}},
    )
    flat = await client.responses.create(
        model=model,
        input="Say something about Rome.",
        temperature=0,
        max_output_tokens=64,
        tools=[{"type": "function", "strict": True, **function}],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    whole = await client.responses.create(model=model, input=prompt, temperature=0)
    pieces = []
    async with client.responses.stream(model=model, input=prompt, temperature=0) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                pieces.append(event.delta)
        final = await stream.get_final_response()
    return {
        "chat": chat.choices[0].message.tool_calls[0].function.arguments,
        "response": [(item.type, item.name, item.arguments) for item in flat.output],
        "texts": [whole.output_text, "".join(pieces), final.output_text],
    }


def spell(tokens):
    return bytes(byte for token in tokens for byte in token.bytes or []).decode()


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
    more = await extras(clients[0], requests[0]["adapter"], requests[0]["prompt"])
    called = await calls(clients[0], requests[0]["adapter"], requests[0]["prompt"])
    print(json.dumps({"answers": answers, "refused": refused, "extras": more, "calls": called}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
