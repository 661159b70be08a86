"""What networks say of the faces in somebody's pictures: each face is fed by the very code that scores are made by.

So a prediction here is the one that an accuracy row counts; of several faces in a photograph all are told.
"""
