"""The JSON objects that scripts rely on: each field with its type and meaning, and the schemas made of them."""
