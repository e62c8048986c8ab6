import builtins

number = getattr(builtins, "int")
print(number("1"))
