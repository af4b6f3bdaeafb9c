//! Files of other programs, and our files in their hands.
use safetensors::{Dtype, SafeTensors};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_checkpoint::{
    Checkpoint, load_weights, load_weights_partial, npz, read_arrays, save_weights, write_arrays,
};
use slalom_optim::{Optimizer, rules::Adam};
use slalom_variable::Variable;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// What `tests/data/make.py` wrote.
fn expected() -> Result<BTreeMap<String, Array>> {
    let kernel = vec![1.5f32, -2.0, 3.25, 0.0, -0.0, 1e-40];
    let arrays = [
        ("dense/kernel", Array::from_vec([2, 3], kernel)?),
        ("dense/bias", Array::from_vec([3], vec![1.0, f64::INFINITY, -1e300])?),
        ("step", Array::scalar(7i64)),
        ("ids", Array::from_vec([2, 1], vec![-1, i32::MAX])?),
        ("empty", Array::zeros([0, 3], DType::F32)?),
        ("mask", Array::from_vec([3], vec![true, false, true])?),
    ];
    Ok(arrays.map(|(name, array)| (name.to_owned(), array)).into())
}

/// Shape, element type and bits of all arrays.
fn bits(arrays: &BTreeMap<String, Array>) -> BTreeMap<String, (String, String, Vec<u64>)> {
    let bits_of = |array: &Array| match array.dtype() {
        DType::F32 => array.to_vec::<f32>().unwrap().iter().map(|x| x.to_bits().into()).collect(),
        DType::F64 => array.to_vec::<f64>().unwrap().iter().map(|x| x.to_bits()).collect(),
        DType::I32 => array.to_vec::<i32>().unwrap().iter().map(|&x| x as u64).collect(),
        DType::I64 => array.to_vec::<i64>().unwrap().iter().map(|&x| x as u64).collect(),
        DType::Bool => array.to_vec::<bool>().unwrap().iter().map(|&x| x.into()).collect::<Vec<u64>>(),
    };
    let facts = |array: &Array| (array.shape().to_string(), array.dtype().to_string(), bits_of(array));
    arrays.iter().map(|(name, array)| (name.clone(), facts(array))).collect()
}

#[test]
fn reads_what_python_wrote() -> Result<()> {
    let expected = expected()?;
    assert_eq!(bits(&read_arrays(data("python.safetensors"))?), bits(&expected));
    for name in ["numpy.npz", "numpy_compressed.npz"] {
        let mut arrays = npz::read(data(name))?;
        let fortran = arrays.remove("fortran").expect("the array");
        assert_eq!(
            (fortran.shape()[..].to_vec(), fortran.to_vec::<f32>()?),
            (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        );
        if let Some(zeros) = arrays.remove("zeros") {
            assert_eq!(zeros.to_vec::<f64>()?, [0.0; 1000]);
        }
        assert_eq!(bits(&arrays), bits(&expected), "{name}");
    }
    Ok(())
}

#[test]
fn both_formats_give_back_what_was_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut arrays = expected()?;
    arrays.insert("a view".into(), arrays["dense/kernel"].transpose(&[1, 0])?);
    arrays.insert("ümläut \"\\\n".into(), Array::scalar(1.0f32));
    arrays.insert("large".into(), Array::from_vec([70_001], (0..70_001).collect::<Vec<i64>>())?);
    arrays.insert("deep".into(), Array::ones([1, 2, 1, 3, 1, 2], DType::F64)?);
    for name in ["x.safetensors", "x.npz"] {
        let path = folder.path().join(name);
        write_arrays(&path, &arrays)?;
        assert_eq!(bits(&read_arrays(&path)?), bits(&arrays), "{name}");
    }
    assert_eq!(write_arrays(folder.path().join("x.bin"), &arrays).unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}

#[test]
fn the_reference_reader_reads_checkpoints() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run.safetensors");
    let w = Variable::new(Array::from_vec([3], vec![1.0f32, 2.0, 3.0])?).named("dense/kernel");
    let mut opt = Optimizer::new(Adam::new(0.1))?;
    opt.minimize(|| (&w * &w).sum(), &w)?;
    let mask = Array::from_vec([3], vec![true, false, true])?;
    Checkpoint::new().optimizer(&opt, [&w])?.array("mask", mask).save(&path)?;

    let bytes = std::fs::read(&path)?;
    let file = SafeTensors::deserialize(&bytes).expect("a file for every reader");
    let mut names = file.names();
    names.sort();
    let (m, v) = ("slots/dense/kernel/m", "slots/dense/kernel/v");
    assert_eq!(names, ["arrays/mask", "iterations", m, v, "variables/dense/kernel", "weights"]);
    let weights = file.tensor("variables/dense/kernel").expect("the weights");
    assert_eq!((weights.dtype(), weights.shape()), (Dtype::F32, &[3][..]));
    let elements = weights.data().chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().unwrap()));
    assert_eq!(elements.collect::<Vec<_>>(), w.array().to_vec::<f32>()?);
    assert_eq!(file.tensor("iterations").expect("the steps").data(), 1i64.to_le_bytes());
    assert_eq!(file.tensor("arrays/mask").expect("the mask").data(), [1, 0, 1]);
    Ok(())
}

#[test]
fn weights_are_compared_by_name_shape_and_type() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("w.npz");
    let [a, b, c] = ["a", "b", "c"].map(|name| Variable::new(1.0f32).named(name));
    save_weights(&path, [&a, &b, &c])?;
    let [a, d] = ["a", "d"].map(|name| Variable::new(2.0f32).named(name));
    let b = Variable::new(2.0f64).named("b");
    let error = load_weights(&path, [&a, &b, &d]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    let lines =
        ["b: expected f64 [], got f32 []", "d: expected f32 [], got nothing", "c: expected nothing, got it"];
    let text = error.to_string();
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    assert_eq!(a.value().item()?, 2.0);
    assert_eq!(load_weights_partial(&path, [&a, &b, &d])?, lines);
    assert_eq!([&a, &b, &d].map(|v| v.value().item().unwrap()), [1.0, 2.0, 2.0]);
    Ok(())
}
