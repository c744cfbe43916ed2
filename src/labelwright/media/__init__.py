"""Media: fetching URLs safely, decoding images, and keeping bytes.

``urls`` reads a URL, ``addresses`` says where it may lead, ``connections`` opens a socket there within a
deadline, ``fetch`` puts the three together. ``decode`` turns bytes into pixels. ``blobs`` keeps bytes.
"""
