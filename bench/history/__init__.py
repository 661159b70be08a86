"""Runs that are kept in one file, and what became of each case over time.

A trend never crosses from one machine to another, nor from one set of images to another: each is a series of its own.
"""
