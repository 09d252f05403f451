# The verifiers that a bundle carries, as C arrays: cmake -DOUT=verifiers.c -DFROM=replay/verifier -P embed.cmake
file(WRITE ${OUT} "#include \"replay/verifiers.h\"\n")
foreach(name sh py)
	file(READ ${FROM}/verify.${name} hex HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes ${hex})
	file(APPEND ${OUT} "const unsigned char verifier_${name}[] = { ${bytes} };\nconst size_t verifier_${name}_count = sizeof verifier_${name};\n")
endforeach()
