"""Export of trained models to other engines' formats; each export is compared with Keras before it is saved."""
