//! What the clients ask.

/// Short and varied: facts, explanations, lists, letters, code, arithmetic; some answers end early, some reach the
/// limit.
pub(crate) const PROMPTS: [&str; 24] = [
    "What is the capital of France? Answer in one word.",
    "Explain to a child why the sky is blue.",
    "Write a haiku about rain on a tin roof.",
    "List three vegetables that grow well in the shade.",
    "What does a tachometer measure?",
    "Translate to Spanish: The train leaves at nine.",
    "Write a Python function that adds up the numbers of a list.",
    "Why do cats purr?",
    "Give me a short recipe for pancakes.",
    "What is 12 plus 30? Reply with the number only.",
    "Describe the smell of a library.",
    "Who wrote Romeo and Juliet?",
    "Name the planets of the solar system in order.",
    "Write a two-sentence story about a lighthouse keeper.",
    "How do I remove a coffee stain from a shirt?",
    "What is the difference between a lake and a pond?",
    "Suggest a name for a small bakery by the sea.",
    "Is a tomato a fruit? Say yes or no.",
    "Explain what a queue is in computing, with an everyday example.",
    "Write a polite note to a neighbour whose dog barks at night.",
    "Which is heavier, a kilogram of iron or a kilogram of feathers?",
    "What should I pack for a day's hike in the mountains?",
    "Summarise in one sentence how bread is made.",
    "Tell me something surprising about octopuses.",
];
