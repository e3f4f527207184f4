//! Tool calls, structured output, chat encoders.

use super::labels::{ChatEncoder, Grammar, ResponseError, ResponseFormat, ToolCallError, ToolChoice};
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Tool calls, structured output, chat encoders.
    Tools in tools, MaxServe;

    tool_call_requests: Event "tool_call.requests" NONE NO Basic by ByChoice { choice: ToolChoice },
        "Chat requests that declare tools and let the model call them.";
    tool_call_responses: Event "tool_call.responses" NONE NO Basic,
        "Chat requests whose response calls a tool.";
    tool_call_tools_per_request: Size "tool_call.tools_per_request" TOOLS BSZ Detailed,
        "Tools that a request declares.";
    tool_call_conformance_error: Event "tool_call.conformance_errors" NONE NO Basic
        by ByToolCallError { outcome: ToolCallError },
        "Tool calls that are not what their declaration asks for.";
    structured_output_requests: Event "structured_output.requests" NONE NO Basic by ByFormat { kind: ResponseFormat },
        "Requests that ask for a response format.";
    structured_output_grammar_rejection: Event "structured_output.grammar_rejections" NONE NO Basic
        by ByGrammar { kind: Grammar },
        "Requests refused because their grammar cannot be built.";
    structured_output_grammar_build_time: Time "structured_output.grammar_build_time" MILLIS LAT Detailed,
        "Time to build a grammar's matcher.";
    response_format_conformance_error: Event "response_format.conformance_errors" NONE NO Basic
        by ByResponseError { outcome: ResponseError },
        "Responses that are not of the format asked for.";
    tokenizer_chat_encoder_requests: Count "tokenizer.chat_encoder_requests" NONE NO Detailed
        by ByEncoder { outcome: ChatEncoder },
        "Chat requests given to a custom encoder, by who encoded them in the end.";
}
