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
    called = await call(client, model)
    return {
        "called": called,
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


async def call(client, model):
    """A function that must be called, by the client's own stream; then what the model makes of its result."""
    tool = {"type": "function", "function": {"name": "get_city", "strict": True, "parameters": CITY}}
    question = {"role": "user", "content": "Which city is the Colosseum in?"}
    request = {"model": model, "temperature": 0, "max_tokens": 64, "tools": [tool]}
    async with client.chat.completions.stream(messages=[question], tool_choice="required", parallel_tool_calls=False, **request) as stream:
        events = {event.type async for event in stream}
        answer = (await stream.get_final_completion()).choices[0]
    result = {"role": "tool", "tool_call_id": answer.message.tool_calls[0].id, "content": "done"}
    again = await client.chat.completions.create(messages=[question, answer.message, result], tool_choice="none", **request)
    return {
        "events": sorted(events),
        "content": answer.message.content,
        "arguments": answer.message.tool_calls[0].function.arguments,
        "reason": answer.finish_reason,
        "again": again.choices[0].message.content,
    }


async def batch(client, model, prompt):
    """A file of requests to the adapter and to its base model, one of them to a model that is not there."""
    def line(name, target):
        body = {"model": target, "messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 64}
        return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

    lines = [line("adapter", model), line("missing", "nothing-such"), line("again", model)]
    file = await client.files.create(file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch")
    begun = await client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    while begun.status in ("validating", "in_progress", "finalizing"):
        await asyncio.sleep(0.5)
        begun = await client.batches.retrieve(begun.id)
    answers = [json.loads(line) for line in (await client.files.content(begun.output_file_id)).text.splitlines()]
    errors = [json.loads(line) for line in (await client.files.content(begun.error_file_id)).text.splitlines()]
    listed = [each.id async for each in client.batches.list(limit=1)]
    deleted = await client.files.delete(begun.output_file_id)
    return {
        "status": begun.status,
        "counts": begun.request_counts.model_dump(),
        "texts": [[each["custom_id"], each["response"]["body"]["choices"][0]["message"]["content"]] for each in answers],
        "errors": [[each["custom_id"], each["response"]["status_code"]] for each in errors],
        "listed": begun.id in listed,
        "deleted": deleted.deleted,
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
    batched = await batch(clients[0], requests[0]["adapter"], requests[0]["prompt"])
    print(json.dumps({"answers": answers, "refused": refused, "extras": more, "calls": called, "batch": batched}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
