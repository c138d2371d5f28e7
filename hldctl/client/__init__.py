"""The Python API: `import hldctl` offers what is public of it."""
