# SPDX-License-Identifier: MIT OR Apache-2.0
"""The modules behind `memfault.py`.

commands      what the user types
arguments     how that is read
bridge        what GDB knows of the target: the only module that reads it
server        serves that to `mflt` as a GDB server would
program       runs `mflt`
upload        login and upload over HTTP
chunk_handler sends chunks on while the target runs
"""
